/** The numbers that came: whether each follows the one before, which the page need not take anybody's word for. */

export class Sequence {
  /** The number from which none is missing, and the last one. */
  first = null
  last = null
  count = 0
  /** Numbers that are missing without a word, and that came again or too late. */
  missing = 0
  twice = 0
  /** How often it was told of a gap. */
  gaps = 0
  #isTold = false

  /** The stream says that it can't go on where it was. */
  announce () {
    if (this.last === null) return
    this.gaps++
    this.#isTold = true
  }

  /** Answers whether it is a new one. */
  add (n) {
    if (this.last !== null && n <= this.last) {
      this.twice++
      return false
    }
    if (this.last === null || this.#isTold) this.first = n
    else this.missing += n - this.last - 1
    this.#isTold = false
    this.last = n
    this.count++
    return true
  }

  get verdict () {
    return this.missing + this.twice > 0 ? 'wrong' : this.gaps > 0 ? 'gaps' : 'whole'
  }

  /** The verdict in words. */
  toString () {
    const { first, last, missing, twice, gaps } = this
    if (missing + twice > 0) return `This should never be: ${missing} missing without a word, ${twice} twice`
    return `${first} to ${last}, none missing, none twice${gaps > 0 ? ': since a gap that the page was told of' : ''}`
  }
}
