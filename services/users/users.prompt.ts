// A password from a person at a terminal, or from whatever is piped in.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/**
 * At a terminal it is typed twice and not shown; else it is the first line of standard input. Rejects with one line that says why where there is
 * none, or the two differ.
 */
export async function promptPassword(): Promise<string> {
	const terminal = process.stdin.isTTY === true;
	// What readline would echo goes nowhere.
	const output = new Writable({ write: (_chunk, _encoding, done) => done() });
	const input = createInterface({ input: process.stdin, output, terminal, historySize: 0 });
	const lines = input[Symbol.asyncIterator]();
	const next = async (question: string): Promise<string> => {
		if (terminal) process.stderr.write(question);
		const { value, done } = await lines.next();
		if (terminal) process.stderr.write("\n");
		if (done) throw new Error("No password was given: nothing was made");
		return value;
	};
	try {
		const password = await next("Password: ");
		if (terminal && (await next("Once more: ")) !== password) throw new Error("The two are not the same: nothing was made");
		return password;
	} finally {
		input.close();
	}
}
