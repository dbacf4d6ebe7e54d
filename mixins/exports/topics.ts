export type * from "../topics/dead-letter.ts";
export { deadTopic, letterOf, replayedOffset, replayMark, replayOf } from "../topics/dead-letter.ts";
export type * from "../topics/encode.ts";
export type * from "../topics/handler-types.ts";
export type * from "../topics/options.ts";
export { hasTopicsMixin, requireTopicsMixin } from "../topics/require-mixin.ts";
export type * from "../topics/topic-log.ts";
export { topics, withLog } from "../topics/topics.ts";
export type { HandlerInfo } from "../topics/wrap-handlers.ts";
