// The output of the system contains no secrets, even at log level trace.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, it } from "node:test";
import { grpcClient } from "./client.grpc.ts";
import { openSocket } from "./client.socket.ts";
import { openSocketIo } from "./client.socket-io.ts";
import { eventually, fresh, httpClient, rawRequest } from "./client.ts";
import { type System, startSystem } from "./system.ts";

const random = () => randomBytes(16).toString("hex");
const JWT_SECRET = random();
const GRPC_TOKEN = random();

let plaza: System;
before(async () => {
	plaza = await startSystem({ profile: "embedded", env: { LOG_LEVEL: "trace", JWT_SECRET, GRPC_TOKEN } });
});
after(() => plaza?.stop());

it("prints no secret and no e-mail address, for valid and invalid requests that contain them", async () => {
	const http = httpClient(plaza.url);
	const [email, password, wrongPassword] = [`ann.${random()}@example.org`, random(), random()];
	const secrets: Record<string, string> = { JWT_SECRET, GRPC_TOKEN, email, password, wrongPassword };
	const keep = <T extends { token: string; refreshToken: string }>(name: string, answer: T) => {
		secrets[`${name}'s token`] = answer.token;
		secrets[`${name}'s refresh token`] = answer.refreshToken;
		return answer;
	};

	const registered = await http.post("/api/auth/register", { email, password, name: "Ann" });
	assert.equal(registered.status, 201, registered.text);
	keep("register", registered.json);
	const login = await http.post("/api/auth/login", { email: email.toUpperCase(), password });
	assert.equal(login.status, 200, login.text);
	const { token, refreshToken, user } = keep("login", login.json);
	const authorization = `Bearer ${token}`;

	// Valid and invalid requests, with secrets in headers, cookies, URLs and bodies.
	const answers = [
		await http.post("/api/auth/register", { email, password, name: "Ann" }),
		await http.post("/api/auth/register", { email: { $ne: email }, password: [password], name: "Ann" }),
		await http.post("/api/auth/login", { email, password: wrongPassword }),
		await http.post("/api/auth/login", `{"email":"${email}","password":"${password}"`),
		await http.post("/api/auth/login", `{"email":${email},"password":${password}}`),
		await http.post("/api/auth/login", { email, password }, { "content-type": "text/plain" }),
		await http.get(`/api/auth/me?token=${token}&email=${email}`, { authorization }),
		await http.get("/api/auth/me", { authorization: `${authorization}x` }),
		await http.get("/api/auth/me", { authorization: `Basic ${Buffer.from(`${email}:${password}`).toString("base64")}` }),
		await http.get(`/api/nothing/${email}/${token}`, { authorization }),
		await http.post("/api/purchases", { user_id: user.id, amount: 49.99 }, { authorization }),
		await http.post("/api/purchases", { user_id: email, amount: password }, { authorization }),
		await http.post("/api/purchases", { user_id: user.id, amount: 1, token, password }, { authorization })
	];
	assert.deepEqual(
		answers.map(({ status }) => status),
		[409, 422, 401, 400, 400, 415, 200, 401, 401, 404, 201, 422, 422],
		answers.map(({ text }) => text).join("\n")
	);
	await rawRequest(plaza.url, "GET", `/${token}/../${email}`, {
		authorization,
		cookie: `refreshToken=${refreshToken}; ${email}`
	});

	const refreshed = keep("refresh", (await http.post("/api/auth/refresh", { refreshToken })).json);
	keep("second refresh", (await http.post("/api/auth/refresh", { refreshToken: refreshed.refreshToken })).json);
	// Reuse of an outdated token revokes the session, and logs a warning.
	assert.equal((await http.post("/api/auth/refresh", { refreshToken })).status, 401);
	await http.post("/api/auth/logout", { refreshToken: registered.json.refreshToken });

	const again = keep("second login", (await http.post("/api/auth/login", { email, password })).json);
	for (const given of [again.token, `${again.token}x`, GRPC_TOKEN, { token: again.token }]) {
		const socket = await openSocket(plaza.wsUrl);
		socket.send({ code: "connect", data: { user: user.id, token: given, password } });
		socket.send(`{"code":"connect","data":{"token":"${again.token}"`);
		socket.send({ code: "connect", data: { user: user.id, token: given } });
		await eventually(() => assert.ok(socket.frames.length >= 2 || !socket.open), "the socket's answers");
		socket.close();
		(await openSocketIo(plaza.url, { auth: { token: given } })).socket.disconnect();
	}

	for (const given of [GRPC_TOKEN, wrongPassword, `${again.token}`, undefined]) {
		const grpc = grpcClient(plaza.grpc, given);
		await grpc.getBalance(given ? email : fresh("user")).catch(() => {});
		grpc.close();
	}

	const requestID = fresh("request");
	await http.post("/api/selections/async", { name: "a", id: fresh(), user_id: "u" }, { "x-request-id": requestID });
	await eventually(() => assert.match(plaza.logs(), new RegExp(`consumed.*${requestID}`)), "the last request in the log");
	const printed = plaza.logs().toLowerCase();
	for (const [name, secret] of Object.entries(secrets)) assert.ok(!printed.includes(secret.toLowerCase()), `${name} was printed`);
	// Truncated secrets must not be printed either.
	for (const part of [email.slice(0, 20), token.split(".")[2]]) assert.ok(!printed.includes(part.toLowerCase()), part);
	assert.match(plaza.logs(), /registered/);
});
