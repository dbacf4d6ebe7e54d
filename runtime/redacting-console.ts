/**
 * Moleculer's console logger with secrets redacted; the format of the lines stays the same.
 *
 *     const broker = new ServiceBroker({ logger: new RedactingConsole({ level: "debug" }) });
 *     broker.logger.info("signed in", { email: "ann@example.org", refreshToken: "eyJh…" });
 *     // [2026-01-31T12:00:00.000Z] INFO  node-1/BROKER: signed in { email: '[e-mail]', refreshToken: '[secret]' }
 */
import { Loggers } from "moleculer";
import { redact, withoutSecrets } from "./redact.ts";

type Bindings = Parameters<Loggers.Console["getFormatter"]>[0];

export class RedactingConsole extends Loggers.Console {
	override init(factory: Parameters<Loggers.Console["init"]>[0]) {
		super.init(factory);
		// Moleculer sets `objectPrinter` in init(); its types do not declare it.
		const printing = this as unknown as { objectPrinter: (value: unknown) => string };
		const print = printing.objectPrinter;
		printing.objectPrinter = value => redact(print(withoutSecrets(value)));
	}

	override getFormatter(bindings: Bindings) {
		const format = super.getFormatter(bindings);
		return (type: string, args: unknown[]) =>
			format(
				type,
				args.map(part => (typeof part === "string" ? redact(part) : part))
			);
	}
}
