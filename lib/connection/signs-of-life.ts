/** Whether somebody is at the other end: whatever comes from there shows it, and after a silence it is asked for. A write does not: nobody may be there to take it. */
export class SignsOfLife {
  // Bytes that had come at the last look, since when there were no more, and when some were asked for, ms.
  #heard: number
  #heardAt: number
  #askedAt = 0
  // Since when the answer is overdue, or lies unread since this process was busy: the next look knows.
  #overdueAt = 0

  /** @param heard bytes that have come */
  constructor (heard: number, now: number) {
    this.#heard = heard
    this.#heardAt = now
  }

  /**
   * Answers that a sign has to be asked for now, or that there was none.
   * @param now ms, the same in all looks of one sweep
   * @param patience for how long nothing may come, and then the answer, ms
   */
  look (heard: number, now: number, patience: number): 'asked' | 'timeout' | null {
    if (heard !== this.#heard) {
      this.forgive(heard, now)
    } else if (this.#askedAt !== 0) {
      if (this.#overdueAt !== 0 && now !== this.#overdueAt) return 'timeout'
      if (now - this.#askedAt >= patience) this.#overdueAt = now
    } else if (now - this.#heardAt >= patience) {
      this.#askedAt = now
      return 'asked'
    }
    return null
  }

  /** Nothing could come until now. */
  forgive (heard: number, now: number): void {
    this.#heard = heard
    this.#heardAt = now
    this.#askedAt = 0
    this.#overdueAt = 0
  }
}
