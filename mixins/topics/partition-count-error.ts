import { Errors } from "moleculer";

/** `TOPIC_PARTITIONS`: a topic exists with another number of partitions; with it, keys would get other owners. `data`: topic, has, wants. */
export const partitionCountError = (topic: string, has: number | undefined, wants: number) =>
	new Errors.MoleculerError(
		`topic ${topic} has ${has} partitions, not the ${wants} that are configured`,
		500,
		"TOPIC_PARTITIONS",
		{ topic, has, wants }
	);
