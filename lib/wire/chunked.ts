/**
 * The chunked wire of HTTP/1.1: bytes in, one chunk out.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */

/** ASCII text as one chunk: size, text, line end in one string. */
export function frameAscii (text: string): string {
  return text.length.toString(16) + '\r\n' + text + '\r\n'
}

/** Text of `size` bytes in UTF-8 as one chunk. */
export function frameText (text: string, size: number): Buffer {
  const head = size.toString(16) + '\r\n'
  const frame = Buffer.allocUnsafe(head.length + size + 2)
  frame.write(head, 'latin1')
  frame.write(text, head.length, 'utf8')
  return close(frame)
}

/** Bytes as one chunk. */
export function frameBytes (bytes: Uint8Array): Buffer {
  const head = bytes.byteLength.toString(16) + '\r\n'
  const frame = Buffer.allocUnsafe(head.length + bytes.byteLength + 2)
  frame.write(head, 'latin1')
  frame.set(bytes, head.length)
  return close(frame)
}

function close (frame: Buffer): Buffer {
  frame[frame.length - 2] = 0x0d
  frame[frame.length - 1] = 0x0a
  return frame
}
