import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { conflict } from "../mixins/errors.ts";
import { adminSocket, findAdminSocket } from "./admin-socket.ts";

describe("the admin socket", () => {
	const dir = mkdtempSync(join(tmpdir(), "plaza-admin-socket-"));
	const note = join(dir, "operator");
	after(() => rmSync(dir, { recursive: true }));
	let broker: ServiceBroker;
	const start = async () => {
		broker = new ServiceBroker({ logger: false, middlewares: [adminSocket(dir)] });
		broker.createService({
			name: "shop",
			actions: {
				echo: ctx => ctx.params,
				who: ctx => ctx.meta,
				refuse: () => Promise.reject(conflict("not twice", { field: "name" }))
			}
		});
		await broker.start();
	};
	afterEach(() => broker?.stop());

	it("calls any action, many concurrently, and returns its result", async () => {
		await start();
		const call = await findAdminSocket(dir);
		const texts = Array.from({ length: 50 }, (_, n) => ({ text: `line ${n}\nof ünïcode 😀`, more: "x".repeat(n * 5_000) }));
		assert.deepEqual(await Promise.all(texts.map(params => call?.("shop.echo", params))), texts);
	});

	it("passes the meta of the call, such as its caller", async () => {
		await start();
		const call = await findAdminSocket(dir);
		assert.deepEqual(await call?.("shop.who", {}, { meta: { caller: { id: "ann" } } }), { caller: { id: "ann" } });
	});

	it("rejects with the name, code, type and data of the action's error", async () => {
		await start();
		const call = await findAdminSocket(dir);
		const refused = { name: "MoleculerClientError", code: 409, type: "CONFLICT", message: "not twice", data: { field: "name" } };
		await assert.rejects(async () => call?.("shop.refuse", {}), refused);
		await assert.rejects(async () => call?.("shop.nothing", {}), { type: "SERVICE_NOT_FOUND" });
	});

	it("is accessible to its own user only", { skip: process.platform === "win32" }, async () => {
		await start();
		assert.equal(statSync(note).mode & 0o777, 0o600);
		assert.equal(statSync(dirname(readFileSync(note, "utf8"))).mode & 0o777, 0o700);
	});

	it("is removed with its files when the broker stops", async () => {
		await start();
		const own = dirname(readFileSync(note, "utf8"));
		await broker.stop();
		assert.deepEqual(readdirSync(dir), []);
		assert.ok(!existsSync(own));
		assert.equal(await findAdminSocket(dir), undefined);
	});

	it("replaces the socket and the files that a killed process left", async () => {
		const old = mkdtempSync(join(tmpdir(), "plaza-admin-socket-old-"));
		writeFileSync(join(old, "socket"), "");
		writeFileSync(note, join(old, "socket"));
		assert.equal(await findAdminSocket(dir), undefined);
		await start();
		assert.ok(!existsSync(old));
		assert.deepEqual(await (await findAdminSocket(dir))?.("shop.echo", { n: 1 }), { n: 1 });
	});

	it("keeps working after invalid input and closed connections", async () => {
		await start();
		const path = readFileSync(note, "utf8");
		for (const line of ["nonsense\n", "{}\n", "null\n", '{"action":1}\n', '{"action":"shop.echo","params":1}\n', "half a line"]) {
			const socket = connect(path);
			await new Promise(resolve => socket.write(line, resolve));
			if (line.endsWith("\n")) {
				const answer = await new Promise(resolve => socket.once("data", resolve));
				assert.ok(JSON.parse(String(answer)), line);
			}
			socket.destroy();
		}
		assert.deepEqual(await (await findAdminSocket(dir))?.("shop.echo", { n: 1 }), { n: 1 });
	});
});
