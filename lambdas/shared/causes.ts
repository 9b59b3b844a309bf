/** What Step Functions wraps around an error on its way up, taken off again. */
import * as z from 'zod/mini';

/** A function's error is JSON around its message; people want its sentence. */
export const sentenceOf = (cause: string): string => parsed(FunctionError, cause)?.errorMessage ?? cause;

const FunctionError = z.object({ errorMessage: z.string() });

/** How an execution ended, from the cause of the task that waited for it; undefined where that is no JSON. */
export const endedChild = (cause: string): z.infer<typeof EndedChild> | undefined => parsed(EndedChild, cause);

const EndedChild = z.object({
  Status: z.optional(z.string()),
  Error: z.optional(z.string()),
  Cause: z.optional(z.string()),
});

const parsed = <Wrapping>(schema: z.ZodMiniType<Wrapping>, text: string): Wrapping | undefined => {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};
