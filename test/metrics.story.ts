// Compares the metrics of all nodes with each other and with the log. It must run when nothing else is running.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocketAs } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { GROUPS, untilIdle, withAdmin } from "./faults/idle.ts";
import { putOnKafka } from "./outside.ts";
import { waitUntilCounted } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

const IDLE_TIMEOUT_MS = 60_000;
const PARTS = ["applied", "duplicate", "dead", "parked"];
const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);

interface Sample {
	name: string;
	labels: Record<string, string>;
	value: number;
}

async function samplesAt(url: string): Promise<Sample[]> {
	const { text } = await httpClient(url).get("/metrics");
	return [...text.matchAll(/^plaza_(\w+)\{([^}]*)\} (\S+)$/gm)].map(([, name = "", labels = "", value]) => ({
		name,
		labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text])),
		value: Number(value)
	}));
}

/** The sum of a metric over all nodes, for one topic and group. */
const of = (samples: Sample[], metric: string, topic: string, group: string) =>
	sum(
		samples
			.filter(({ name, labels }) => name === `topics_${metric}` && labels.topic === topic && labels.group === group)
			.map(({ value }) => value)
	);

/** The committed offsets of all groups by topic. Kafka returns them; those of the embedded log are accessible only in its own process. */
const committed = () =>
	withAdmin(async admin => {
		const offsets = new Map<string, number>();
		for (const [groupId, topics] of Object.entries(GROUPS))
			for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics: [...topics] }))
				offsets.set(`${topic} ${groupId}`, sum(partitions.map(({ offset }) => Math.max(0, Number(offset)))));
		return offsets;
	});

export const metricsStory = (plaza: () => System) =>
	describe("metrics", () => {
		const nodes = () => Promise.all(plaza().metricsUrls.map(samplesAt));
		const quiet = async () => {
			await waitUntilCounted(plaza());
			if (plaza().profile === "cluster") await untilIdle(IDLE_TIMEOUT_MS);
		};

		/** Checks the sums on every node, for every topic and group. Resolves to the samples of all nodes. */
		const checkSums = () =>
			eventually(
				async () => {
					const all = await nodes();
					for (const samples of all)
						for (const { name, labels, value } of samples) {
							const { topic = "", group = "" } = labels;
							const parts = PARTS.map(part => of(samples, part, topic, group));
							if (name === "topics_consumed") assert.equal(value, sum(parts), `${topic} ${group} ${JSON.stringify(parts)}`);
							if (name === "topics_parked" || name === "topics_lag") assert.equal(value, 0, `${name} ${topic} ${group}`);
							if (name === "outbox_age_seconds") assert.ok(value < 5, `${labels.outbox}: ${value}`);
						}
					return all.flat();
				},
				"every message to be accounted for",
				IDLE_TIMEOUT_MS
			);

		it("count every message of every topic and group", async () => {
			await quiet();
			const isCluster = plaza().profile === "cluster";
			const [before, committedBefore] = [await checkSums(), isCluster ? await committed() : undefined];

			const [name, user_id] = [ownName(), fresh("user")];
			const socket = await openSocketAs(plaza().wsUrl, user_id);
			const http = httpClient(plaza().url);
			const pick = (id: string) => expectStatus(202, http.post("/api/selections/async", { name, id, user_id }));
			const ids = Array.from({ length: 20 }, () => fresh("pick"));
			await Promise.all(ids.map(pick));
			for (const id of ids.slice(0, 5)) await pick(id);
			await Promise.all(ids.map(id => expectStatus(201, http.post("/api/purchases", { user_id, amount: 0.5, id }))));
			if (isCluster) {
				await putOnKafka("Synchronizations", "{", user_id);
				await putOnKafka("user_purchase", JSON.stringify({ id: ids[0], user_id, amount: 0.75 }), user_id);
			}
			await socket.waitFor(({ data }) => data.count === 20, "the picks");
			await socket.waitFor(({ data }) => data?.balances?.total === 10, "the balance");
			await quiet();
			const [after, committedAfter] = [await checkSums(), isCluster ? await committed() : undefined];

			const increaseOf = (metric: string, topic: string, group: string) =>
				of(after, metric, topic, group) - of(before, metric, topic, group);
			// `waitUntilCounted` sends picks too.
			assert.ok(increaseOf("applied", "Selections", "selections") >= 20);
			assert.ok(increaseOf("applied", "user_purchase", "wallet") >= 1);
			assert.ok(increaseOf("applied", "SelectionSummary", "socket") >= 1);
			assert.ok(sum(after.filter(one => one.name === "sockets_pushed").map(one => one.value)) > 0);
			assert.ok(after.some(one => one.name === "sockets_connected" && one.labels.door === "ws" && one.value > 0));
			if (isCluster) {
				assert.equal(increaseOf("dead", "Synchronizations", "sync"), 1);
				assert.equal(increaseOf("dead", "user_purchase", "wallet"), 1, "a known id with another amount was not dead-lettered");
			}
			for (const [key, offset] of committedAfter ?? []) {
				const [topic = "", group = ""] = key.split(" ");
				const [passed, counted] = [
					offset - (committedBefore?.get(key) ?? 0),
					increaseOf("consumed", topic, group) + increaseOf("strays", topic, group)
				];
				assert.ok(counted >= passed, `${key}: ${passed} were committed, ${counted} counted`);
			}
			socket.close();
		});
	});
