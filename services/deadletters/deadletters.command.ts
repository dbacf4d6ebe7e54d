/**
 * Dead letters, for who runs Plaza: messages that nobody could handle.
 *
 *     npm run deadletters -- list                          # how many there are, of which topics, given up by whom and why
 *     npm run deadletters -- show user_purchase --key 123  # what they are
 *     npm run deadletters -- replay user_purchase          # puts them back on their topic, for whoever gave them up
 *
 * A message goes back under the same key, bytes and ids, once: what was put back is marked in the topic of dead letters. One that died again stays
 * where it is unless `--again` is given, one that could not be read unless `--unreadable` is. Works whether Plaza runs or not; on the cluster
 * profile it needs Kafka alone.
 */

import { config } from "../../runtime/config.ts";
import { exitWithError } from "../../runtime/exit-with-error.ts";
import { asOperator } from "../../runtime/operator.ts";
import { redact } from "../../runtime/redact.ts";
import { ArgumentError, readArguments } from "./deadletters.arguments.ts";
import { list, replay, show } from "./deadletters.verbs.ts";

const VERBS = { list, show, replay };

try {
	const asked = readArguments(process.argv.slice(2));
	console.log(await asOperator(["deadletters"], call => VERBS[asked.verb](call, asked)));
	process.exit(0);
} catch (error) {
	const [line = ""] = (error as Error).message.split("\n");
	if (error instanceof ArgumentError) {
		console.error(redact(line));
		process.exit(2);
	}
	const isAway = (error as { type?: string }).type === "UNAVAILABLE" && config.profile === "cluster";
	exitWithError(isAway ? `${line}: start it, or set KAFKA_BROKERS` : line);
}
