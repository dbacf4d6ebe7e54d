// The promises of the selections service, from a pick to the messages that it publishes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type Context, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { embeddedLog } from "../../mixins/topics/embedded/embedded-log.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { eventually } from "../../test/client.ts";
import { type Scratch, scratchEmbedded } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import type { Count } from "../summary/summary.contract.ts";
import type { SelectionSummary } from "./selections.contract.ts";
import { sqlSelections } from "./selections.store.sql.ts";
import { selections } from "./selections.ts";

describe("the selections service", () => {
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	const call = broker.call.bind(broker) as Caller["call"];
	/** The calls of summary.raise. */
	const raised: { counts: Count[]; requestID: string | null }[] = [];
	const summary = {
		name: "summary",
		actions: {
			raise(ctx: Context<{ counts: Count[] }>) {
				raised.push({ counts: ctx.params.counts, requestID: ctx.requestID });
				return null;
			}
		}
	};
	let scratch: Scratch;
	let log: ReturnType<typeof embeddedLog>;

	before(async () => {
		scratch = await scratchEmbedded();
		await migrate(scratch.db, new URL("./migrations/", import.meta.url), "selections_migrations");
		log = embeddedLog(scratch.db.knex);
		// One partition: when a later message is published, the earlier ones have been handled.
		const mixins = [topicsMixin(log, { contracts: topics, partitions: 1 })];
		broker.createService(selections(sqlSelections(scratch.db.knex), { names: ["a", "b", "c", "d"], mixins }));
		broker.createService(summary);
		await broker.start();
		await eventually(() => log.ends("SelectionSummary"), "the topics to be made");
	});
	after(async () => {
		await broker?.stop();
		await scratch?.db.close();
		await scratch?.remove();
	});

	const pick = (name: string, id: string, user_id: string, requestID: string = randomUUID()) =>
		call("selections.pick", { name, id, user_id }, { requestID });
	/** Appends picks in one batch, as a foreign client could, with names that need not be configured. */
	const put = (...picks: { name: string; id: string; user_id: string }[]) =>
		log.append(picks.map(value => ({ topic: "Selections", key: value.id, value: JSON.stringify(value) })));
	/** The messages that were published for a user, once there are `length` of them. */
	const published = (user_id: string, length: number) =>
		eventually(async () => {
			const records = await log.read("SelectionSummary", 0, 0, 10_000);
			const all = records.map(({ key, value, headers }) => ({
				message: JSON.parse(String(value)) as SelectionSummary,
				key: String(key),
				requestID: headers["request-id"]
			}));
			const own = all.filter(({ message }) => message.user_id === user_id);
			assert.ok(own.length >= length, `${own.length} of ${length}`);
			return own;
		}, `what is published for ${user_id}`);
	const countOf = async (name: string) => {
		const user_id = randomUUID();
		await pick(name, randomUUID(), user_id);
		return (await published(user_id, 1))[0]!.message.count;
	};

	it("accepts a pick once it is durable on the topic, keyed by its id, with its request id", async () => {
		const [message, requestID] = [{ name: "a", id: randomUUID(), user_id: "ann" }, randomUUID()];
		assert.deepEqual(await call("selections.pick", message, { requestID }), { accepted: true });
		const found = (await log.read("Selections", 0, 0, 10_000)).find(({ key }) => String(key) === message.id);
		assert.deepEqual(JSON.parse(String(found?.value)), message);
		assert.equal(found?.headers["request-id"], requestID);
	});

	it("rejects a name that is not configured, and lists those that are", async () => {
		await assert.rejects(pick("e", randomUUID(), "ann"), {
			code: 422,
			type: "VALIDATION_ERROR",
			data: [{ field: "name", message: "must be one of a, b, c, d" }]
		});
	});

	it("raises the summary and then publishes the new count, under the request id of the pick", async () => {
		const [user_id, requestID, before] = [randomUUID(), randomUUID(), await countOf("b")];
		await pick("b", randomUUID(), user_id, requestID);
		const count = before + 1;
		assert.deepEqual(await published(user_id, 1), [{ message: { name: "b", count, user_id }, key: "b", requestID }]);
		assert.deepEqual(raised.at(-1), { counts: [{ name: "b", count }], requestID });
	});

	it("counts an id once and publishes nothing for its second pick, for any user and name", async () => {
		const [id, first, second, before] = [randomUUID(), randomUUID(), randomUUID(), await countOf("c")];
		await pick("c", id, first);
		await published(first, 1);
		for (const name of ["c", "d"]) assert.deepEqual(await pick(name, id, second), { accepted: true });
		assert.equal(await countOf("c"), before + 2, "the first pick and this one");
		assert.equal((await published(first, 1)).length, 1);
		assert.equal((await published(second, 0)).length, 0);
	});

	it("publishes one message for a user's picks of one name that are counted together", async () => {
		const [user_id, other, before] = [randomUUID(), randomUUID(), await countOf("d")];
		const picks = ["d", "a", "d", "d"].map(name => ({ name, id: randomUUID(), user_id }));
		await put(...picks, { name: "d", id: randomUUID(), user_id: other });
		await published(other, 1);
		const messages = (await published(user_id, 2)).map(({ message }) => message);
		assert.deepEqual(messages.map(({ name }) => name).sort(), ["a", "d"]);
		assert.equal(messages.find(({ name }) => name === "d")?.count, before + 4);
	});

	it("counts a pick whose name is no longer configured", async () => {
		const [user_id, name] = [randomUUID(), randomUUID()];
		await put({ name, id: randomUUID(), user_id });
		assert.deepEqual((await published(user_id, 1))[0]?.message, { name, count: 1, user_id });
	});

	it("keeps a pick while the summary is unavailable, and counts it once afterwards", async () => {
		const [user_id, before] = [randomUUID(), await countOf("a")];
		await broker.destroyService(broker.getLocalService("summary")!);
		await pick("a", randomUUID(), user_id);
		await eventually(
			async () => assert.deepEqual(await sqlSelections(scratch.db.knex).counts(["a"]), [{ name: "a", count: before + 1 }]),
			"the pick to be stored"
		);
		assert.equal((await published(user_id, 0)).length, 0, "published before the summary is raised");
		broker.createService(summary);
		assert.equal((await published(user_id, 1))[0]?.message.count, before + 1);
		assert.equal(await countOf("a"), before + 2);
	});
});
