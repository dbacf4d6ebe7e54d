// Holds the published document against a running system, by schemathesis (https://schemathesis.readthedocs.io): hundreds of requests made from the
// document's schemas, good and bad, none of which may be answered with a 500 or with anything that the document does not say.
// It needs Python, and something from PyPI: hence it is among the cluster's tests, though one process is all that it looks at.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { fresh, httpClient } from "./client.ts";
import { noPython, schemathesis } from "./schemathesis.ts";
import { type System, startSystem } from "./system.ts";

const run = promisify(execFile);
const SEED = 20_260_131;
const EXAMPLES = 60;
const WITHIN_MS = 600_000;

describe("the OpenAPI document, held against a running system", { skip: noPython }, () => {
	let system: System;
	let program: string;
	let dir: string;
	before(async () => {
		program = await schemathesis();
		dir = await mkdtemp(join(tmpdir(), "plaza-schemathesis-"));
		// What is looked for are wrong answers, not the right one to so many requests.
		system = await startSystem({ profile: "embedded", env: { MAX_REQUESTS_PER_SECOND: "0" } });
	});
	after(async () => {
		await system?.stop();
		if (dir) await rm(dir, { recursive: true, force: true });
	});

	/** Answers how many requests it made; fails with all that it found. */
	async function hold(...options: string[]): Promise<number> {
		const config = join(import.meta.dirname, "schemathesis.toml");
		const limits = ["--seed", String(SEED), "--max-examples", String(EXAMPLES), "--request-timeout", "20"];
		const args = ["--config-file", config, "run", `${system.url}/api/openapi.json`, ...limits, ...options];
		const { stdout } = await run(program, args, { cwd: dir, timeout: WITHIN_MS, maxBuffer: 64 * 1024 * 1024 }).catch(
			({ stdout = "", stderr = "" }) => assert.fail(`schemathesis ended badly:\n${stdout}${stderr}`.slice(0, 20_000))
		);
		const [, made] = /(\d+) generated/.exec(stdout) ?? assert.fail(`it made no request:\n${stdout}`);
		return Number(made);
	}

	it("answers a guest as the document says", async t => {
		t.diagnostic(`${await hold()} requests`);
	});

	it("answers an account as the document says", async t => {
		const account = { email: `${fresh("ann")}@example.org`, password: "correct horse battery", name: "Ann" };
		const { status, json } = await httpClient(system.url).post("/api/auth/register", account);
		assert.equal(status, 201);
		// Signing out would end the token that all others are sent with.
		const made = await hold("--header", `Authorization: Bearer ${json.token}`, "--exclude-operation-id", "users.logout");
		t.diagnostic(`${made} requests`);
	});

	it("has not written of anything that went wrong inside", () => {
		assert.doesNotMatch(system.logs(), /^.*\b(ERROR|FATAL)\b.*$/m);
	});
});
