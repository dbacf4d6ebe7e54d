/**
 * Lists, shows and replays dead letters: messages that a service could not handle.
 *
 *     npm run deadletters -- list                          # numbers by topic, service and reason
 *     npm run deadletters -- show user_purchase --key 123  # the messages
 *     npm run deadletters -- replay user_purchase          # publishes them on their topic again, for the service that could not handle them
 *
 * A message is replayed once, with the same key, bytes and ids: a replay is marked in the dead-letter topic. A message that failed again is replayed
 * only with `--again`, an unreadable one only with `--unreadable`. Works whether or not Plaza runs; in the cluster profile it needs only Kafka.
 */

import { config } from "../../runtime/config.ts";
import { exitWithError, printError } from "../../runtime/exit-with-error.ts";
import { printHelpIfAsked } from "../../runtime/help.ts";
import { asOperator } from "../../runtime/operator.ts";
import { ArgumentError, readArguments, USAGE } from "./deadletters.arguments.ts";
import { list, replay, show } from "./deadletters.verbs.ts";

printHelpIfAsked(`${USAGE}

    list      numbers of dead letters by topic, service and reason
    show      the messages of a topic
    replay    publishes them on their topic again, each once, for the service that could not handle them`);

const VERBS = { list, show, replay };

try {
	const request = readArguments(process.argv.slice(2));
	console.log(await asOperator(["deadletters"], call => VERBS[request.verb](call, request)));
	process.exit(0);
} catch (error) {
	const [line = ""] = (error as Error).message.split("\n");
	if (error instanceof ArgumentError) {
		printError(line);
		process.exit(2);
	}
	const isKafkaUnavailable = (error as { type?: string }).type === "UNAVAILABLE" && config.profile === "cluster";
	exitWithError(isKafkaUnavailable ? `${line}: start it, or set KAFKA_BROKERS` : line);
}
