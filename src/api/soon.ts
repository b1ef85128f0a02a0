/** Answers that wait only where they must: a promise where there is nothing to wait for costs a request as much as all the rest of it. */

export type Soon<Value> = Value | Promise<Value>;

/** `next` with the value: at once where it is there. What it throws is thrown or rejected, as the value came. */
export function whenThere<Value, Result>(value: Soon<Value>, next: (value: Value) => Soon<Result>): Soon<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What `work` gives, or what `mend` makes of what it threw or rejected with. */
export function mended<Value>(work: () => Soon<Value>, mend: (thrown: unknown) => Value): Soon<Value> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(mend) : value;
  } catch (thrown) {
    return mend(thrown);
  }
}
