// The examples of the READMEs as files of an installed application.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePorts } from "../process.ts";
import { scratchDataDir } from "../scratch.ts";
import type { Example } from "./documents.ts";
import { runFile } from "./installation.ts";

/** The port that examples listen on. */
const PORT = "50051";

/** Writes an example, and its code as TypeScript beside it; returns the file to run. */
export function writeExample(folder: string, example: Pick<Example, "name" | "code" | "files"> & Partial<Example>): string {
	const own = join(folder, "examples", example.name);
	const write = (path: string, text: string) => {
		mkdirSync(dirname(join(own, path)), { recursive: true });
		writeFileSync(join(own, path), text);
	};
	for (const [path, text] of Object.entries(example.files)) write(path, text);
	write("example.js", example.code);
	write("example.ts", example.code);
	for (const [n, code] of (example.types ?? []).entries()) write(`types-${n + 1}.ts`, code);
	return join(own, "example.js");
}

/** Runs an example to its end and returns what it printed. Its data directory holds an empty database already: creating one takes seconds. */
export async function runExample(folder: string, example: Example): Promise<string> {
	const [port] = await freePorts(1);
	const file = writeExample(folder, { ...example, code: example.code.replaceAll(PORT, String(port)) });
	if (example.code.includes("openEmbedded")) renameSync(await scratchDataDir(), join(dirname(file), "data"));
	return runFile(file);
}
