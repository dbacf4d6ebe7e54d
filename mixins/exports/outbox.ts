export type * from "../outbox/outbox.ts";
export { ENTRIES, outbox } from "../outbox/outbox.ts";
export { type RelayOptions, relay } from "../outbox/relay.ts";
export { createOutbox, dropOutbox } from "../outbox/schema.ts";
