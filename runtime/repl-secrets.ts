/**
 * Middleware: Moleculer's REPL neither prints passwords nor keeps them in its history. Where it prints the params of a call, secrets are replaced by
 * `[secret]`, and a line with a secret param is not written to its history file. Nothing else is redacted: the terminal is the operator's own.
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
		// Node has added the line to the history already, and writes the file a moment later.
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
