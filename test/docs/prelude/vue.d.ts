/** As much of Vue as the documents use. */
declare module 'vue' {
  export interface Ref<Value> { value: Value }
  export function shallowRef<Value> (value: Value): Ref<Value>
  export function onMounted (hook: () => void): void
  export function onUnmounted (hook: () => void): void
}
