// The arguments of the command.
import { parseArgs } from "node:util";
import { topics } from "../contract.ts";

export interface Selection {
	key?: string | undefined;
	partition?: number | undefined;
	offset?: number | undefined;
}

export interface Arguments {
	verb: "list" | "show" | "replay";
	/** One topic; all topics for `list` without TOPIC. */
	topics: string[];
	selection: Selection;
	limit: number;
	again: boolean;
	unreadable: boolean;
	json: boolean;
}

/** An invalid argument; the message is one line with its name and the valid values. */
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
		throw new ArgumentError(verb === undefined ? USAGE : `Unknown command ${verb}: give list, show or replay`);
	if (topic === undefined && verb !== "list") throw new ArgumentError(`TOPIC is missing: npm run deadletters -- ${verb} TOPIC`);
	if (topic !== undefined && !Object.hasOwn(topics, topic))
		throw new ArgumentError(`TOPIC ${topic} does not exist: give one of ${Object.keys(topics).join(", ")}`);
	if (more.length > 0) throw new ArgumentError(`Unexpected argument ${more.join(" ")}: give one TOPIC`);
	for (const option of Object.keys(values))
		if (!OPTIONS_OF[verb].includes(option)) throw new ArgumentError(`--${option} is not an option of ${verb}. ${USAGE}`);
	if (values.key === "") throw new ArgumentError("--key is empty: give the key of a message");
	const [partition, offset] = [parseInteger("partition", values.partition), parseInteger("offset", values.offset)];
	if (offset !== undefined && partition === undefined) throw new ArgumentError("--offset needs --partition: give both");
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
