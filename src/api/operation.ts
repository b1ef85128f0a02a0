/** What an operation takes and gives, in the schemas that its handler validates with; the API's description is made from these. */
import type { z } from 'zod';
import type { AnswerHeader } from './answer-headers.ts';
import type { ProblemCode } from './problem.ts';

export interface OperationBody {
  readonly schema: z.ZodType;
  readonly example: unknown;
  /** Absent: 1 MiB. */
  readonly limitBytes?: number;
  /** True when the request may come without one. */
  readonly optional?: boolean;
}

export interface OperationAnswer {
  readonly status: number;
  readonly description: string;
  /** Absent where the answer has no JSON body. */
  readonly schema?: z.ZodType;
  /** The media type of a body that is no JSON. */
  readonly type?: string;
  readonly example?: unknown;
  /** Media types of the same in other forms, for those who ask by `Accept`. */
  readonly otherTypes?: readonly string[];
  /** It comes with an ETag: of the revision, or one that stands for the whole body, so that If-None-Match is answered; see `tagged`. */
  readonly etag?: 'revision' | 'body';
  /** Beside those that follow from the kind of the route and of the answer. */
  readonly headers?: readonly AnswerHeader[];
}

export interface Operation {
  /** Unique, in camel case, as generators of clients name their functions. */
  readonly id: string;
  /** A few words, without a full stop. */
  readonly summary: string;
  readonly description?: string;
  /** The heading under which the page lists it. */
  readonly group: string;
  readonly query?: z.ZodObject;
  readonly body?: OperationBody;
  /** Of success; a refusal's form is the same everywhere. */
  readonly answers: readonly OperationAnswer[];
  /** Beside those that every route of its kind can give. */
  readonly errors: readonly ProblemCode[];
}
