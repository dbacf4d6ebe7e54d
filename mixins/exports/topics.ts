export type * from "../topics/dead-letter.ts";
export { deadTopic, letterOf, replayedOffset, replayMark, replayOf } from "../topics/dead-letter.ts";
export type * from "../topics/encode.ts";
export type * from "../topics/handler-types.ts";
export type * from "../topics/topic-log.ts";
export type * from "../topics/topics.ts";
export { topics, withLog } from "../topics/topics.ts";
