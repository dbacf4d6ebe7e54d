/**
 * Middleware: Moleculer's REPL neither repeats passwords nor remembers them. What it prints of a call's params has `[secret]` in their place, and a
 * line with such a param is not written to its history file. Everything else stays as it is: the terminal is the operator's own.
 */
import type { REPLServer } from "node:repl";
import type { Middleware, ServiceBroker } from "moleculer";
import { isSecretField, withoutSecrets } from "./redact.ts";

/** `--password x`, `--password=x`, `{"password":"x"}`. */
const hasSecret = (line: string) => (line.match(/[\w-]+(?=["']?\s*[:=\s])/g) ?? []).some(isSecretField);

type Server = REPLServer & { eval: (line: string, ...rest: unknown[]) => unknown; history: string[] };

function forgetSecrets(server: Server) {
	const evaluate = server.eval;
	server.eval = function (this: unknown, line, ...rest) {
		// Node has put the line there, and writes the file a moment later.
		if (hasSecret(line) && server.history[0]?.trim() === line.trim()) server.history.shift();
		return evaluate.call(this, line, ...rest);
	};
}

function printNoSecrets() {
	const { log } = console;
	console.log = (...parts: unknown[]) => log(...parts.map(part => withoutSecrets(part)));
}

export const replSecrets: Middleware = {
	name: "ReplSecrets",

	created(broker: ServiceBroker) {
		const start = broker.repl.bind(broker);
		broker.repl = () => {
			const server = start() as unknown as Server;
			forgetSecrets(server);
			printNoSecrets();
			return server;
		};
	}
};
