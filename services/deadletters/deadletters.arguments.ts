// What the command is asked to do.
import { parseArgs } from "node:util";
import { topics } from "../contract.ts";

export interface Selection {
	key?: string | undefined;
	partition?: number | undefined;
	offset?: number | undefined;
}

export interface Arguments {
	verb: "list" | "show" | "replay";
	/** One, or for `list` perhaps all. */
	topics: string[];
	selection: Selection;
	limit: number;
	again: boolean;
	unreadable: boolean;
	json: boolean;
}

/** An argument that will not do; the message is the one line that names it and says what would. */
export class ArgumentError extends Error {}

export const USAGE =
	"Usage: npm run deadletters -- list [TOPIC] | show TOPIC [--limit N] | replay TOPIC [--again] [--unreadable], with [--key K] [--partition P [--offset O]] for show and replay, and [--json]";

const OPTIONS = {
	key: { type: "string" },
	partition: { type: "string" },
	offset: { type: "string" },
	limit: { type: "string" },
	again: { type: "boolean" },
	unreadable: { type: "boolean" },
	json: { type: "boolean" }
} as const;

const OPTIONS_OF = {
	list: ["json"],
	show: ["key", "partition", "offset", "limit", "json"],
	replay: ["key", "partition", "offset", "again", "unreadable", "json"]
};

const DEFAULT_LIMIT = 50;

function parseArguments(args: string[]) {
	try {
		return parseArgs({ args, options: OPTIONS, allowPositionals: true });
	} catch (error) {
		const [line = ""] = (error as Error).message.split(/\.? To specify|\n/);
		throw new ArgumentError(`${line}. ${USAGE}`);
	}
}

function parseInteger(name: string, text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	if (!/^\d{1,15}$/.test(text)) throw new ArgumentError(`--${name} ${text} is unusable: give a whole number`);
	return Number(text);
}

/** Throws `ArgumentError`. */
export function readArguments(args: string[]): Arguments {
	const { values, positionals } = parseArguments(args);
	const [verb, topic, ...more] = positionals;
	if (verb !== "list" && verb !== "show" && verb !== "replay")
		throw new ArgumentError(verb === undefined ? USAGE : `${verb} is not known: give list, show or replay`);
	if (topic === undefined && verb !== "list") throw new ArgumentError(`TOPIC is missing: npm run deadletters -- ${verb} TOPIC`);
	if (topic !== undefined && !Object.hasOwn(topics, topic))
		throw new ArgumentError(`TOPIC ${topic} is not known: give one of ${Object.keys(topics).join(", ")}`);
	if (more.length > 0) throw new ArgumentError(`${more.join(" ")} is too much: give one TOPIC`);
	for (const option of Object.keys(values))
		if (!OPTIONS_OF[verb].includes(option)) throw new ArgumentError(`--${option} does not go with ${verb}. ${USAGE}`);
	if (values.key === "") throw new ArgumentError("--key is empty: give the key of a message");
	const [partition, offset] = [parseInteger("partition", values.partition), parseInteger("offset", values.offset)];
	if (offset !== undefined && partition === undefined)
		throw new ArgumentError("--offset alone names no letter: give --partition with it");
	const { again = false, unreadable = false, json = false } = values;
	return {
		verb,
		topics: topic === undefined ? Object.keys(topics) : [topic],
		selection: { key: values.key, partition, offset },
		limit: parseInteger("limit", values.limit) ?? DEFAULT_LIMIT,
		again,
		unreadable,
		json
	};
}
