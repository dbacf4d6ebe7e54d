import { Errors } from "moleculer";
import type { z } from "zod";
import { invalid } from "../errors.ts";
import { checkFields } from "../field-errors.ts";
import type { PublishOptions } from "./handler-types.ts";
import { metaHeaders, REQUEST_ID } from "./headers.ts";
import type { Headers, Outgoing } from "./topic-log.ts";

/** What encoding and decoding need of a topic's contract. */
export interface Encodable {
	message: z.ZodType;
	// biome-ignore lint/suspicious/noExplicitAny: only the topic's own contract knows the message's type
	key: (message: any) => string;
}

export interface EncodeOptions extends PublishOptions {
	/** Keys of `meta` that travel in headers. */
	metaKeys?: readonly string[];
}

/**
 * Validates a message and makes it a record of its topic: the value is the contract's fields as JSON, everything else goes into headers.
 * Throws `VALIDATION_ERROR` when the message does not fit its contract, `UNKNOWN_TOPIC` when no contract has the topic.
 */
export function encode(
	contracts: Record<string, Encodable>,
	topic: string,
	message: unknown,
	{ headers: own, requestID, meta, metaKeys = [] }: EncodeOptions = {}
): Outgoing {
	const contract = Object.hasOwn(contracts, topic) ? contracts[topic] : undefined;
	if (!contract) throw new Errors.MoleculerError(`topic "${topic}" is in no contract`, 500, "UNKNOWN_TOPIC", { topic });
	const { data, fieldErrors } = checkFields(contract.message, message);
	if (fieldErrors) throw invalid(fieldErrors);
	const headers: Headers = { ...metaHeaders(meta, metaKeys), ...own };
	if (requestID) headers[REQUEST_ID] = requestID;
	return { topic, key: contract.key(data), value: JSON.stringify(data), headers };
}
