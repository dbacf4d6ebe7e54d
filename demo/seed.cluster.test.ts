import assert from "node:assert/strict";
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
