import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomFrom } from "../../../test/random.ts";
import { FetchSession, type SessionRequest, type TopicPartitions } from "./fetch-session.ts";

/** The server's side of a fetch session, as KIP-227 describes it. */
function server() {
	let nextID = 1;
	let session: { id: number; epoch: number; wanted: Map<string, string> } | undefined;
	const key = (topic: string, partition: number) => `${topic}/${partition}`;
	return {
		/** The server evicts the session. */
		forget() {
			session = undefined;
		},
		wanted: () => session?.wanted,
		receive({ sessionId, sessionEpoch, topics, forgottenTopics }: SessionRequest) {
			const isFirst = sessionEpoch === 0;
			if (!isFirst && session?.id !== sessionId) return { errorCode: 70, sessionId: 0 };
			if (!isFirst && session!.epoch !== sessionEpoch) return { errorCode: 71, sessionId: 0 };
			session = isFirst ? { id: nextID++, epoch: 1, wanted: new Map() } : { ...session!, epoch: sessionEpoch + 1 };
			for (const { topic, partitions } of topics)
				for (const { partition, fetchOffset, maxBytes } of partitions)
					session.wanted.set(key(topic, partition), `${fetchOffset} ${maxBytes}`);
			for (const { topic, partitions } of forgottenTopics)
				for (const partition of partitions)
					assert.ok(session.wanted.delete(key(topic, partition)), "only a partition of the session is forgotten");
			return { errorCode: 0, sessionId: session.id };
		}
	};
}

const all = (wanted: TopicPartitions[]) =>
	new Map(
		wanted.flatMap(({ topic, partitions }) =>
			partitions.map(({ partition, fetchOffset, maxBytes }) => [`${topic}/${partition}`, `${fetchOffset} ${maxBytes}`] as const)
		)
	);
const count = (topics: { partitions: unknown[] }[]) => topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
const sorted = (map: ReadonlyMap<string, string> | undefined) => [...(map ?? [])].sort();
const partition = (id: number, offset = 0) => ({ partition: id, fetchOffset: String(offset), maxBytes: 1_000 });

describe("a fetch session", () => {
	it("lists everything once, then only what has changed", () => {
		const session = new FetchSession();
		const first: TopicPartitions[] = [{ topic: "a", partitions: [partition(0), partition(1)] }];
		assert.deepEqual(session.nextRequest(first), { sessionId: 0, sessionEpoch: 0, topics: first, forgottenTopics: [] });
		session.onResponse({ errorCode: 0, sessionId: 7 });
		const second: TopicPartitions[] = [{ topic: "a", partitions: [partition(0, 5), partition(1)] }];
		assert.deepEqual(session.nextRequest(second), {
			sessionId: 7,
			sessionEpoch: 1,
			topics: [{ topic: "a", partitions: [partition(0, 5)] }],
			forgottenTopics: []
		});
		session.onResponse({ errorCode: 0, sessionId: 7 });
		const third: TopicPartitions[] = [{ topic: "b", partitions: [partition(3)] }];
		assert.deepEqual(session.nextRequest(third), {
			sessionId: 7,
			sessionEpoch: 2,
			topics: third,
			forgottenTopics: [{ topic: "a", partitions: [0, 1] }]
		});
	});

	it("ends the session and starts another when a response was lost, and names none when the server has evicted it", () => {
		const wanted: TopicPartitions[] = [{ topic: "a", partitions: [partition(0)] }];
		const session = new FetchSession();
		session.nextRequest(wanted);
		session.onResponse({ errorCode: 0, sessionId: 7 });
		session.nextRequest(wanted);
		session.onFailure();
		assert.deepEqual(session.nextRequest(wanted), { sessionId: 7, sessionEpoch: 0, topics: wanted, forgottenTopics: [] });
		session.onResponse({ errorCode: 0, sessionId: 8 });
		session.nextRequest(wanted);
		session.onResponse({ errorCode: 70, sessionId: 0 });
		assert.deepEqual(session.nextRequest(wanted), { sessionId: 0, sessionEpoch: 0, topics: wanted, forgottenTopics: [] });
	});

	it("lists everything each time for a server that keeps no session", () => {
		const wanted: TopicPartitions[] = [{ topic: "a", partitions: [partition(0)] }];
		const session = new FetchSession();
		for (const answer of [{ errorCode: 0, sessionId: 0 }, {}]) {
			assert.deepEqual(session.nextRequest(wanted), { sessionId: 0, sessionEpoch: 0, topics: wanted, forgottenTopics: [] });
			session.onResponse(answer);
		}
	});

	it("starts with another partition each time while there is no session: a response may have no room for the last", () => {
		const session = new FetchSession();
		const wanted: TopicPartitions[] = ["a", "b"].map(topic => ({
			topic,
			partitions: [partition(0), partition(1), partition(2)]
		}));
		const firsts = Array.from({ length: 6 }, () => {
			const { topics } = session.nextRequest(wanted);
			session.onResponse({ errorCode: 0, sessionId: 0 });
			assert.deepEqual(sorted(all(topics)), sorted(all(wanted)));
			return `${topics[0]!.topic}${topics[0]!.partitions[0]!.partition}`;
		});
		assert.deepEqual(firsts.toSorted(), ["a0", "a1", "a2", "b0", "b1", "b2"]);
	});

	it("keeps the server's session equal to what is wanted, whatever changes, is lost or evicted", () => {
		let incremental = 0;
		for (let seed = 1; seed <= 200; seed++) {
			const { chance, between } = randomFrom(seed);
			const [session, kafka] = [new FetchSession(), server()];
			const offsets = new Map<string, number>();
			for (let turn = 0; turn < 30; turn++) {
				const wanted = ["a", "b", "c"].flatMap(topic => {
					const partitions = [0, 1, 2, 3]
						.filter(() => chance(0.8))
						.map(id => {
							const place = `${topic}/${id}`;
							offsets.set(place, (offsets.get(place) ?? 0) + (chance(0.3) ? between(1, 5) : 0));
							return partition(id, offsets.get(place));
						});
					return partitions.length > 0 ? [{ topic, partitions }] : [];
				});
				if (chance(0.1)) kafka.forget();
				const request = session.nextRequest(wanted);
				if (chance(0.1)) {
					// The request or its response is lost.
					if (chance(0.5)) kafka.receive(request);
					session.onFailure();
					continue;
				}
				const answer = kafka.receive(request);
				session.onResponse(answer);
				if (answer.errorCode !== 0) continue;
				assert.deepEqual(sorted(kafka.wanted()), sorted(all(wanted)), `seed ${seed}, turn ${turn}`);
				if (request.sessionEpoch > 0) incremental++;
				if (request.sessionEpoch > 0) assert.ok(count(request.topics) <= count(wanted));
			}
		}
		assert.ok(incremental > 2_000, `only ${incremental} were incremental`);
	});
});
