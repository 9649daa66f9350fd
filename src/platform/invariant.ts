/** Thrown when the program contradicts itself: a defect of ours, never of the input. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** States what must be true here; `why` says which promise would be broken. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(why);
}
