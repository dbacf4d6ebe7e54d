/**
 * The topic log on a Postgres that no other process uses: the promises of the log on Kafka, for one process. It assigns the offsets itself.
 *
 *     const log = embeddedLog(knex);
 *     await log.create([{ name: "orders", partitions: 12, retentionMs: 604_800_000, maxBytes: 65_536 }]);
 *     await log.append([{ topic: "orders", key: "42", value: "{}" }]);
 *     await log.close();                     // leaves the database open
 */
import type { Knex } from "knex";
import { isUnavailable, unavailable } from "../../errors.ts";
import type { ConsumeOptions, LogDescription, TopicLog } from "../topic-log.ts";
import { createAppend } from "./append.ts";
import { type Group, type Member, openGroup } from "./group.ts";
import { embeddedRecords } from "./records.ts";
import { embeddedTopics } from "./topics.ts";

const RETENTION_EVERY_MS = 60_000;
const MAX_RECORDS = 500;
const DESCRIPTION: LogDescription = { name: "topics", where: "its database", advice: "look for the database's own error" };

/** See the top of this file. Creates its tables on first use. `description`: how log lines and health answers name it. */
export function embeddedLog(db: Knex, description: Partial<LogDescription> = {}): TopicLog {
	const records = embeddedRecords(db);
	const { load, partitionsOf, create, expire } = embeddedTopics(records);
	const appendTogether = createAppend(records, partitionsOf);
	const groups = new Map<string, Group>();
	// A failure is retried at the next interval.
	const retention = setInterval(() => expire().catch(() => {}), RETENTION_EVERY_MS).unref();

	return {
		description: { ...DESCRIPTION, ...description },

		async check() {
			await load();
			await records.check();
		},

		async create(wanted) {
			await load();
			return create(wanted);
		},

		async append(outgoing) {
			await load();
			// Checked before the shared batch, so that an unknown topic fails only its own caller.
			for (const { topic } of outgoing) partitionsOf(topic);
			try {
				await appendTogether(outgoing);
			} catch (error) {
				throw isUnavailable(error) ? unavailable("the log", error) : error;
			}
		},

		async consume(options: ConsumeOptions) {
			await load();
			const group = groups.get(options.group) ?? openGroup(options.group, records, partitionsOf);
			groups.set(options.group, group);
			const member: Member = { ...options, maxRecords: options.maxRecords ?? MAX_RECORDS };
			await group.join(member);
			return {
				problem: () => undefined,
				lag: () => group.lag(member),
				stop: () => group.leave(member)
			};
		},

		async ends(topic) {
			await load();
			return partitionsOf(topic).map(({ next }) => next);
		},

		async committed(group, topic) {
			await load();
			await groups.get(group)?.flush();
			const positions = await records.committed(group, topic);
			return partitionsOf(topic).map(({ partition }) => positions.get(partition) ?? -1);
		},

		async read(topic, partition, fromOffset, maxRecords) {
			await load();
			return records.read(topic, partition, fromOffset, maxRecords);
		},

		async close() {
			clearInterval(retention);
			await Promise.all([...groups.values()].map(group => group.close()));
		}
	};
}
