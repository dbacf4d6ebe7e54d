export type * from "../outbox/outbox.ts";
export { ENTRIES, outbox } from "../outbox/outbox.ts";
export type { Proofs } from "../outbox/proof.ts";
export { type RelayOptions, relay } from "../outbox/relay.ts";
export { addProofKey, createOutbox, dropOutbox, dropProofKey } from "../outbox/schema.ts";
