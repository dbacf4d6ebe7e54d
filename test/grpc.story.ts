// The wallet's gRPC API, with health checking and reflection.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { status } from "@grpc/grpc-js";
import { grpcClient } from "./client.grpc.ts";
import { expectStatus, fresh, httpClient } from "./client.ts";
import { BAD_IDS } from "./ids.ts";
import type { System } from "./system.ts";

const run = promisify(execFile);
const hasGrpcurl = () =>
	run("grpcurl", ["-version"]).then(
		() => true,
		() => false
	);

export const grpcStory = (plaza: () => System) =>
	describe("the wallet's gRPC API", () => {
		let grpc: ReturnType<typeof grpcClient>;
		before(() => {
			grpc = grpcClient(plaza().grpc);
		});
		after(() => grpc.close());

		it("answers INVALID_ARGUMENT to invalid ids", async () => {
			// A client in JavaScript cannot send a lone surrogate: it sends U+FFFD.
			for (const id of BAD_IDS.filter(id => id.isWellFormed())) {
				await assert.rejects(grpc.getBalance(id), { code: status.INVALID_ARGUMENT }, JSON.stringify(id));
				await assert.rejects(grpc.getTotalSpent(id), { code: status.INVALID_ARGUMENT }, JSON.stringify(id));
			}
		});

		it("answers INVALID_ARGUMENT to an id that is not UTF-8 or cut short, and takes no other id for it", async () => {
			const field = (length: number, ...bytes: number[]) => Buffer.from([0x0a, length, ...bytes]);
			for (const request of [field(2, 0x61, 0xff), field(3, 0xed, 0xa0, 0x80), field(5, 0x61, 0x62)])
				for (const method of ["GetBalance", "GetTotalSpent"])
					await assert.rejects(grpc.sendBytes(method, request), { code: status.INVALID_ARGUMENT }, request.toString("hex"));
			assert.ok(await grpc.sendBytes("GetBalance", field(2, 0x61, 0x62)));
		});

		it("answers a call whose deadline is later than any timer of Node", async () => {
			const days = 24 * 3600_000;
			for (const deadline of [30 * days, 3_000_000 * days])
				assert.ok(await grpc.sendBytes("GetBalance", Buffer.from([0x0a, 1, 0x61]), Date.now() + deadline));
		});

		it("accepts an id of 64 UTF-16 units", async () => {
			for (const id of ["x".repeat(64), "😀".repeat(32)]) assert.deepEqual(await grpc.getBalance(id), { balances: { total: 0 } });
		});

		it("reports SERVING for the server and for the wallet, and NOT_FOUND for an unknown service", async () => {
			for (const service of ["", "wallet.WalletService"]) assert.deepEqual(await grpc.check(service), { status: "SERVING" });
			await assert.rejects(grpc.check("wallet.Nobody"), { code: status.NOT_FOUND });
		});

		it("answers grpcurl, which has no proto file, by reflection", async t => {
			if (!(await hasGrpcurl())) return t.skip("grpcurl is not on the PATH");
			const grpcurl = async (...args: string[]) => (await run("grpcurl", ["-plaintext", ...args], { timeout: 30_000 })).stdout;
			const user_id = fresh("buyer");
			await expectStatus(201, httpClient(plaza().url).post("/api/purchases", { user_id, amount: 49.99 }));

			const services = (await grpcurl(plaza().grpc, "list")).trim().split("\n");
			for (const service of ["wallet.WalletService", "grpc.health.v1.Health"])
				assert.ok(services.includes(service), `${services}`);
			assert.match(await grpcurl(plaza().grpc, "describe", "wallet.WalletService"), /rpc GetBalance/);
			const ask = (method: string) => grpcurl("-d", JSON.stringify({ user_id }), plaza().grpc, `wallet.WalletService/${method}`);
			let answer = await ask("GetBalance");
			for (let n = 0; n < 100 && !answer.includes("49.99"); n++) answer = await ask("GetBalance");
			assert.deepEqual(JSON.parse(answer), { balances: { total: 49.99 } });
			assert.deepEqual(JSON.parse(await ask("GetTotalSpent")), { balances: { total: 49.99 } });
			assert.deepEqual(JSON.parse(await grpcurl(plaza().grpc, "grpc.health.v1.Health/Check")), { status: "SERVING" });
			await assert.rejects(grpcurl("-d", "{}", plaza().grpc, "wallet.WalletService/GetBalance"), /InvalidArgument/);
		});
	});
