// How many requests a request counts as in the rate limits: one, or one for each started KiB of its body.
import type { IncomingMessage } from "node:http";
import { startedKiB } from "../../mixins/limits/limits.ts";

/** Larger bodies are refused without being read, except where an action's contract has a `maxBody`. */
export const MAX_BODY_BYTES = 64 * 1024;

/** By the Content-Length header, before the body is read; 1 for a body without it. */
export const announcedCost = ({ headers }: Pick<IncomingMessage, "headers">) =>
	startedKiB(Math.min(Number(headers["content-length"] ?? 0), MAX_BODY_BYTES));

/** How many requests a body of this size counts in addition to `announcedCost`, because it was sent in chunks or compressed; otherwise 0 or less. */
export const unannouncedCost = (req: Pick<IncomingMessage, "headers">, bodyBytes: number) =>
	startedKiB(bodyBytes) - announcedCost(req);
