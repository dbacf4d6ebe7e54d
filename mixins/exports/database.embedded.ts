export { type EmbeddedOptions, openEmbedded } from "../database/embedded.ts";
