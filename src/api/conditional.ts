/** Entity tags: what an object's revision looks like, and what If-Match and If-None-Match ask of it. (RFC 9110 §8.8.3, §13.1) */
import { ApiError } from './problem.ts';
import type { Answer } from './route.ts';

/** The strong tag of a stored revision or of a digest. */
export function etagOf(revision: number | string): string {
  return `"${revision}"`;
}

/** The answer with its ETag. `revalidates`: the tag stands for the whole body, so that If-None-Match may be answered 304; not so with live values inside. */
export function tagged(answer: Answer, revision: number | string, revalidates: boolean): Answer {
  return { ...answer, headers: { ...answer.headers, ETag: etagOf(revision) }, revalidates };
}

/** 304 in place of the answer where the client has it already. */
export function unlessKnown(answer: Answer, ifNoneMatch: string | undefined): Answer {
  const etag = answer.headers?.['ETag'];
  if (ifNoneMatch === undefined || etag === undefined || !answer.revalidates || answer.status !== 200) return answer;
  if (!tagsOf(ifNoneMatch).some((tag) => tag === '*' || withoutWeak(tag) === withoutWeak(etag))) return answer;
  const { headers } = answer;
  return { status: 304, body: undefined, ...(headers && { headers }) };
}

/**
 * For a write: throws `precondition_failed` when If-Match names another revision than the present one. Without If-Match
 * every revision will do. A weak tag matches nothing.
 */
export function requireMatch(ifMatch: string | undefined, revision: number): void {
  if (ifMatch === undefined || tagsOf(ifMatch).some((tag) => tag === '*' || tag === etagOf(revision))) return;
  throw new ApiError('precondition_failed', `If-Match names another revision; the present one is ${etagOf(revision)}.`);
}

function tagsOf(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim());
}

function withoutWeak(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
