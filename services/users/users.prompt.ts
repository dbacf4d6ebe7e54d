// Reads a password from the terminal or from standard input.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/**
 * At a terminal the password is typed twice and not echoed; otherwise it is the first line of standard input. Rejects with a one-line message if
 * there is no password, or the two differ.
 */
export async function promptPassword(): Promise<string> {
	const terminal = process.stdin.isTTY === true;
	// Discards the echo of readline.
	const output = new Writable({ write: (_chunk, _encoding, done) => done() });
	const input = createInterface({ input: process.stdin, output, terminal, historySize: 0 });
	const lines = input[Symbol.asyncIterator]();
	const next = async (question: string): Promise<string> => {
		if (terminal) process.stderr.write(question);
		const { value, done } = await lines.next();
		if (terminal) process.stderr.write("\n");
		if (done) throw new Error("No password was given: no account was created");
		return value;
	};
	try {
		const password = await next("Password: ");
		if (terminal && (await next("Repeat the password: ")) !== password)
			throw new Error("The passwords differ: no account was created");
		return password;
	} finally {
		input.close();
	}
}
