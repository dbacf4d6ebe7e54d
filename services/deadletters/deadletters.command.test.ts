// The command, and the whole life of a dead letter: a message fails, the cause is fixed, the message is replayed and counts once.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openEmbedded } from "../../mixins/database/embedded.ts";
import { embeddedLog } from "../../mixins/topics/embedded/embedded-log.ts";
import { eventually, fresh, httpClient } from "../../test/client.ts";
import { runCommand } from "../../test/command.ts";
import { freePorts } from "../../test/process.ts";
import { scratchDataDir } from "../../test/scratch.ts";
import { type System, startSystem } from "../../test/system.ts";

const COMMAND = "services/deadletters/deadletters.command.ts";

describe("npm run deadletters", () => {
	let dataDir: string;
	let system: System | undefined;
	before(async () => {
		dataDir = await scratchDataDir();
	});
	after(async () => {
		await system?.stop();
		rmSync(dataDir, { recursive: true, force: true });
	});
	const command = (...args: string[]) => runCommand(COMMAND, args, { DATA_DIR: dataDir });

	for (const [args, named] of [
		[[], /Usage/],
		[["lost"], /lost/],
		[["show"], /TOPIC/],
		[["replay", "toString"], /TOPIC toString.*user_purchase/],
		[["replay", "user_purchase", "Selections"], /Selections/],
		[["list", "--again"], /--again/],
		[["replay", "user_purchase", "--agian"], /--agian/],
		[["show", "user_purchase", "--key"], /--key/],
		[["show", "user_purchase", "--limit", "-1"], /--limit/],
		[["show", "user_purchase", "--partition", "1.5"], /--partition 1.5/],
		[["show", "user_purchase", "--offset", "1"], /--offset/]
	] as [string[], RegExp][])
		it(`names the invalid argument in one line and exits with 2: ${args.join(" ") || "none"}`, async () => {
			const { code, out, err } = await command(...args);
			assert.deepEqual([code, out], [2, ""]);
			assert.match(err, /^.{10,}\n$/);
			assert.match(err, named);
		});

	it("says in one line that Kafka is unavailable, at which address and what to do, and exits with 1", async () => {
		const [unusedPort] = await freePorts(1);
		const where = `127.0.0.1:${unusedPort}`;
		const { code, out, err } = await runCommand(COMMAND, ["list"], { PROFILE: "cluster", KAFKA_BROKERS: where });
		assert.deepEqual([code, out], [1, ""]);
		assert.match(err, new RegExp(`^Kafka at ${where} .*KAFKA_BROKERS\n$`));
	});

	it("replays a letter whose cause is fixed, which then counts once, whether or not Plaza runs", async () => {
		const [user_id, other] = [fresh("buyer"), fresh("buyer")];
		const total = async (user: string) => (await httpClient(system!.url).get(`/api/wallet/${user}`)).json.balances.total;
		/** Opens the data directory while Plaza is stopped. */
		const alone = async (work: (db: ReturnType<typeof openEmbedded>) => Promise<unknown>) => {
			const db = openEmbedded(dataDir);
			await work(db).finally(() => db.close());
		};
		const start = async () => {
			system = await startSystem({ profile: "embedded", dataDir });
		};
		await start();
		await system!.stop();
		await alone(async db => {
			await db.knex.schema.renameTable("purchases", "purchases_away");
			const log = embeddedLog(db.knex);
			const bought = (user: string, amount: number) => ({
				topic: "user_purchase",
				key: user,
				value: JSON.stringify({ user_id: user, amount })
			});
			await log.append([bought(user_id, 49.99), bought(other, 1.5), { topic: "user_purchase", key: user_id, value: "{" }]);
			await log.close();
		});
		await start();
		await eventually(async () => {
			const { out } = await command("list");
			assert.match(out, /^user_purchase: 3 dead letters\n(\twallet dead-lettered .*\n){2,}$/);
		}, "all three to be dead-lettered");
		await system!.stop();
		await alone(db => db.knex.schema.renameTable("purchases_away", "purchases"));

		await start();
		const first = await command("replay", "user_purchase", "--key", user_id);
		assert.deepEqual([first.code, first.err], [0, ""]);
		assert.match(first.out, /^user_purchase: replayed 1 of 2 dead letters\n\t1 not replayed: unreadable.*\n$/);
		await eventually(async () => assert.equal(await total(user_id), 49.99), "the purchase to count");
		assert.match((await command("replay", "user_purchase", "--key", user_id)).out, /replayed 0 of 2 dead letters/);
		await system!.stop();

		assert.match((await command("replay", "user_purchase")).out, /replayed 1 of 3 dead letters/);
		const letters = JSON.parse((await command("show", "user_purchase", "--json")).out);
		assert.deepEqual(letters.map(({ isReplayed }: { isReplayed: boolean }) => isReplayed).toSorted(), [false, true, true]);
		await start();
		await eventually(async () => assert.equal(await total(other), 1.5), "the other purchase to count");
		assert.equal(await total(user_id), 49.99);
	});
});
