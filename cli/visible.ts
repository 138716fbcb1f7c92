/** Text of somebody else's, so that it can't steer a terminal. A tab and a line end may stay. */
export function visible (text: string): string {
  return text.replace(/[^\P{Cc}\t\n]/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
