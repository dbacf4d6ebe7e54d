// Tests a running system against the published document with schemathesis (https://schemathesis.readthedocs.io): hundreds of generated requests, valid
// and invalid, none of which may get a 500 or a response that the document does not describe.
// It needs Python and a package from PyPI; therefore it is a cluster test, although it uses only one process.
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

describe("a running system, tested against its OpenAPI document", { skip: noPython }, () => {
	let system: System;
	let program: string;
	let dir: string;
	before(async () => {
		program = await schemathesis();
		dir = await mkdtemp(join(tmpdir(), "plaza-schemathesis-"));
		// No rate limit: it would answer most of the requests.
		system = await startSystem({ profile: "embedded", env: { MAX_REQUESTS_PER_SECOND: "0" } });
	});
	after(async () => {
		await system?.stop();
		if (dir) await rm(dir, { recursive: true, force: true });
	});

	/** Runs schemathesis. Resolves to the number of requests; fails with all its findings. */
	async function runSchemathesis(...options: string[]): Promise<number> {
		const config = join(import.meta.dirname, "schemathesis.toml");
		const limits = ["--seed", String(SEED), "--max-examples", String(EXAMPLES), "--request-timeout", "20"];
		const args = ["--config-file", config, "run", `${system.url}/api/openapi.json`, ...limits, ...options];
		const { stdout } = await run(program, args, { cwd: dir, timeout: WITHIN_MS, maxBuffer: 64 * 1024 * 1024 }).catch(
			({ stdout = "", stderr = "" }) => assert.fail(`schemathesis failed:\n${stdout}${stderr}`.slice(0, 20_000))
		);
		const [, requestCount] = /(\d+) generated/.exec(stdout) ?? assert.fail(`schemathesis made no request:\n${stdout}`);
		return Number(requestCount);
	}

	it("answers a guest as documented", async t => {
		t.diagnostic(`${await runSchemathesis()} requests`);
	});

	it("answers an account as documented", async t => {
		const account = { email: `${fresh("ann")}@example.org`, password: "correct horse battery", name: "Ann" };
		const { status, json } = await httpClient(system.url).post("/api/auth/register", account);
		assert.equal(status, 201);
		// Signing out would revoke the token of all other requests.
		const made = await runSchemathesis(
			"--header",
			`Authorization: Bearer ${json.token}`,
			"--exclude-operation-id",
			"users.logout"
		);
		t.diagnostic(`${made} requests`);
	});

	it("has logged no error", () => {
		assert.doesNotMatch(system.logs(), /^.*\b(ERROR|FATAL)\b.*$/m);
	});
});
