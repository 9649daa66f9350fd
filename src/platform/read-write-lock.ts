/** Lets any number of pieces of work in together that can stand each other (shared), or one that cannot (exclusive). First come, first in. */
export class ReadWriteLock {
  #shared = 0;
  #exclusive = false;
  #waiting: { exclusive: boolean; enter: () => void }[] = [];

  /** Nobody is in and nobody waits. */
  get isIdle(): boolean {
    return this.#shared === 0 && !this.#exclusive && this.#waiting.length === 0;
  }

  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(false, work);
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(true, work);
  }

  async #run<T>(exclusive: boolean, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#admits(exclusive)) this.#admit(exclusive);
    else await new Promise<void>((enter) => this.#waiting.push({ exclusive, enter }));
    try {
      return await work();
    } finally {
      if (exclusive) this.#exclusive = false;
      else this.#shared--;
      for (let next = this.#waiting[0]; next !== undefined && this.#admits(next.exclusive); next = this.#waiting[0]) {
        this.#waiting.shift();
        this.#admit(next.exclusive);
        next.enter();
      }
    }
  }

  #admits(exclusive: boolean): boolean {
    return !this.#exclusive && (!exclusive || this.#shared === 0);
  }

  #admit(exclusive: boolean): void {
    if (exclusive) this.#exclusive = true;
    else this.#shared++;
  }
}
