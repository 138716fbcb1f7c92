/** As much of React as the documents use. */
declare module 'react' {
  export function useState<State> (initial: State): [State, (next: State | ((state: State) => State)) => void]
  export function useEffect (effect: () => (() => void) | void, dependencies: readonly unknown[]): void
}
