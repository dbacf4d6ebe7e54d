import type { z } from "zod";
import { invalid } from "../errors.ts";
import { fieldErrorsOf } from "../field-errors.ts";
import type { Headers, Outgoing } from "./topic-log.ts";

/** As much of a topic's contract as putting a message on it takes. */
export interface Encodable {
	message: z.ZodType;
	// biome-ignore lint/suspicious/noExplicitAny: what a key is made of is the topic's own business
	key: (message: any) => string;
}

export const REQUEST_ID = "request-id";

/**
 * A message as a record for its topic: checked, keyed, and exactly the contract's fields as JSON; all else travels in headers.
 * Throws `VALIDATION_ERROR` when the message is not what the contract says.
 */
export function encode(
	contracts: Record<string, Encodable>,
	topic: string,
	message: unknown,
	options: { headers?: Headers; requestID?: string } = {}
): Outgoing {
	const contract = contracts[topic];
	if (!contract) throw new Error(`There is no topic ${topic}`);
	const parsed = contract.message.safeParse(message);
	if (!parsed.success) throw invalid(fieldErrorsOf(parsed.error));
	const headers: Headers = { ...options.headers };
	if (options.requestID) headers[REQUEST_ID] = options.requestID;
	return { topic, key: contract.key(parsed.data), value: JSON.stringify(parsed.data), headers };
}
