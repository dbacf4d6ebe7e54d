// What the READMEs of the package say: the table of its exports, and the examples that open them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const mixins = join(import.meta.dirname, "../../mixins");
const documents = join(mixins, "exports");

export interface ExportRow {
	/** `topics/kafka` */
	name: string;
	/** The README of the export, relative to the package. */
	document: string;
	/** The packages that it needs beside Moleculer. */
	needs: string[];
}

/** The rows of the table of exports: `| [`name`](exports/name.md) | what it is for | `driver`, `driver` |`. */
export function exportRows(): ExportRow[] {
	const text = readFileSync(join(mixins, "README.md"), "utf8");
	const rows = text.matchAll(/^\| \[`([^`]+)`\]\(([^)]+)\) \|.*\|([^|]*)\|$/gm);
	return [...rows].map(([, name = "", document = "", needs = ""]) => ({
		name,
		document,
		needs: [...needs.matchAll(/`([^`]+)`/g)].map(([, one = ""]) => one)
	}));
}

export interface Example {
	/** The name of the document without `.md`. */
	name: string;
	/** The first block `js`: an application that runs. It is strict TypeScript as it stands, too. */
	code: string;
	/** The block `text` after it: what it prints. */
	output: string;
	/** Blocks that name a file after their language (`proto greeter.proto`): what the example needs beside it. */
	files: Record<string, string>;
	/** Blocks `ts` without a file name: they must compile in strict mode. */
	types: string[];
}

const BLOCK = /^```(\w+)(?: ([^\n]+))?\n(.*?)^```$/gms;

const exampleOf = (file: string): Example => {
	const text = readFileSync(join(documents, file), "utf8");
	const blocks = [...text.matchAll(BLOCK)].map(([, language = "", path = "", code = ""]) => ({ language, path, code }));
	const only = (language: string) =>
		blocks.filter(block => block.language === language && block.path === "").map(({ code }) => code);
	const [code] = only("js");
	const [output] = only("text");
	if (code === undefined || output === undefined) throw new Error(`${file} has no example, or not what it prints`);
	const files = Object.fromEntries(blocks.filter(({ path }) => path !== "").map(({ path, code }) => [path, code]));
	return { name: file.replace(/\.md$/, ""), code, output, files, types: only("ts") };
};

export const examples = (): Example[] =>
	readdirSync(documents)
		.filter(file => file.endsWith(".md"))
		.sort()
		.map(exampleOf);

/** The addresses that examples use, by the environment variable that holds the test server's. */
const ADDRESSES = {
	KAFKA_BROKERS: "localhost:9092",
	CASSANDRA_CONTACT_POINTS: "localhost:9042",
	DATABASE_URL: "postgres://postgres:postgres@localhost:5432/shop",
	REDIS_URL: "redis://localhost:6379"
};

export const needsServers = ({ code }: Example) => Object.values(ADDRESSES).some(address => code.includes(address));

/** The example with these addresses instead of the usual ones. */
export const withAddresses = (example: Example, servers: Partial<Record<string, string>>): Example => ({
	...example,
	code: Object.entries(ADDRESSES).reduce(
		(code, [variable, address]) => code.replaceAll(address, servers[variable] ?? address),
		example.code
	)
});
