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
import type { ConsumeOptions, LogDescription, Tail, TopicLog } from "../topic-log.ts";
import { createAppend } from "./append.ts";
import { type Group, type Member, openGroup } from "./group.ts";
import { positionStore } from "./positions.ts";
import { embeddedRecords } from "./records.ts";
import { embeddedRetention } from "./retention.ts";
import { embeddedTail } from "./tail.ts";
import { embeddedTopics } from "./topics.ts";

const RETENTION_EVERY_MS = 60_000;
const MAX_RECORDS = 500;
const DESCRIPTION: LogDescription = { name: "topics", where: "its database", advice: "look for the database's own error" };

/** See the top of this file. Creates its tables on first use. `description`: how log lines and health answers name it. */
export function embeddedLog(db: Knex, description: Partial<LogDescription> = {}): TopicLog {
	const records = embeddedRecords(db);
	const topics = embeddedTopics(records);
	const { partitionsOf } = topics;
	const positions = positionStore(records);
	const appendTogether = createAppend(records, partitionsOf);
	const groups = new Map<string, Group>();
	const tails = new Set<Tail>();
	// A failure is retried at the next interval.
	const retention = embeddedRetention(db);
	const expiring = setInterval(() => retention.expire(topics.specs()).catch(() => {}), RETENTION_EVERY_MS).unref();
	let loading: Promise<unknown> | undefined;
	/** Creates the tables and reads what they hold, once; after a failure the next call tries again. */
	const load = () => {
		loading ??= records.prepare().then(() => Promise.all([topics.load(), positions.load()]));
		loading.catch(() => {
			loading = undefined;
		});
		return loading;
	};

	return {
		description: { ...DESCRIPTION, ...description },

		async check() {
			await load();
			await records.check();
		},

		async create(wanted) {
			await load();
			return topics.create(wanted);
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
			const group = groups.get(options.group) ?? openGroup(options.group, records, positions, partitionsOf);
			groups.set(options.group, group);
			const member: Member = { ...options, maxRecords: options.maxRecords ?? MAX_RECORDS };
			await group.join(member);
			return {
				problem: () => undefined,
				lag: () => group.lag(member),
				stop: () => group.leave(member)
			};
		},

		async tail(options) {
			await load();
			// Positions of a group of this name, which consumed these topics before, would keep their records for ever.
			if (positions.forget(options.name, options.topics)) await records.forget(options.name, options.topics);
			const tail = embeddedTail(options, records, partitionsOf);
			tails.add(tail);
			return tail;
		},

		async ends(topic) {
			await load();
			return partitionsOf(topic).map(({ next }) => next);
		},

		async committed(group, topic) {
			await load();
			await positions.flush();
			return partitionsOf(topic).map(({ partition }) => positions.next(group, topic, partition) ?? -1);
		},

		async read(topic, partition, fromOffset, maxRecords) {
			await load();
			return records.read(topic, partition, fromOffset, maxRecords);
		},

		async close() {
			clearInterval(expiring);
			await Promise.all([...tails].map(tail => tail.stop()));
			await Promise.all([...groups.values()].map(group => group.close()));
		}
	};
}
