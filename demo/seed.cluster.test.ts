import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { it } from "node:test";
import { fresh } from "../test/client.ts";
import { runCommand } from "../test/command.ts";
import { servers } from "../test/system.ts";

it("fills the stores of a cluster without a running node, and adds nothing in a second run", async () => {
	const email = `${fresh("boss")}@example.org`;
	const env = { PROFILE: "cluster", DEMO_ADMIN_PASSWORD: "correct horse battery", ...servers() };
	const seed = () => runCommand("demo/seed.ts", ["--email", email], env);
	const { code, out, err } = await seed();
	assert.deepEqual([code, err], [0, ""]);
	assert.ok(out.startsWith(`Created the admin ${email}`), out);
	assert.deepEqual(await seed(), { code: 0, out: "Everything exists already\n", err: "" });
});

it("does not ask Kafka for anything: the messages wait in the outboxes for a running node", async () => {
	let connections = 0;
	const kafka = createServer(socket => {
		connections++;
		socket.destroy();
	}).listen(0, "127.0.0.1");
	await once(kafka, "listening");
	const { port } = kafka.address() as AddressInfo;
	const env = {
		PROFILE: "cluster",
		DEMO_ADMIN_PASSWORD: "correct horse battery",
		...servers(),
		KAFKA_BROKERS: `127.0.0.1:${port}`
	};
	const { code, err } = await runCommand("demo/seed.ts", ["--email", `${fresh("boss")}@example.org`], env);
	kafka.close();
	assert.deepEqual({ code, err, connections }, { code: 0, err: "", connections: 0 });
});
