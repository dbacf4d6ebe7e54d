// A logger that keeps its lines, for tests of what is logged.
import { inspect } from "node:util";
import { Loggers } from "moleculer";

export class CollectingLogger extends Loggers.Base<object> {
	/** The lines of level info and above: `signed in { user: 'acct_…' }`. */
	readonly lines: string[] = [];

	override getLogHandler() {
		return (level: string, args: unknown[]) => {
			if (level === "debug" || level === "trace") return;
			const print = (part: unknown) =>
				typeof part === "string" ? part : inspect(part, { breakLength: Number.POSITIVE_INFINITY });
			this.lines.push(args.map(print).join(" "));
		};
	}
}
