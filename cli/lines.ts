/** Cuts text into lines as it comes. [spec] CRLF, LF or CR ends a line. */

const LINE_END = /\r\n|\r|\n/

/** Takes the text; the last line, unless it has an end, waits for it. */
export function lineReader (each: (line: string) => void): (text: string) => void {
  let rest = ''
  let isBehindCr = false
  return (text) => {
    if (text === '') return
    const lines = (rest + (isBehindCr && text.startsWith('\n') ? text.slice(1) : text)).split(LINE_END)
    isBehindCr = text.endsWith('\r')
    rest = lines.pop() as string
    for (const line of lines) each(line)
  }
}
