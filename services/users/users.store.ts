// Accounts and sign-ins in Postgres. Every decision that two requests could make at once is one statement.
import type { Knex } from "knex";
import type { Role, User } from "./users.contract.ts";
import type { Refresh } from "./users.tokens.ts";

export interface NewUser {
	id: string;
	/** Normalised. */
	email: string;
	name: string;
	role: Role;
	passwordHash: string;
}

export interface Session {
	id: string;
	userID: string;
	expiresInMs: number;
}

export interface UserStore {
	/** Undefined if the address has an account already. */
	add(user: NewUser): Promise<User | undefined>;
	byEmail(email: string): Promise<{ user: User; passwordHash: string } | undefined>;
	byID(id: string): Promise<User | undefined>;
	/** Starts a session, with generation 0. */
	open(session: Session): Promise<void>;
	/**
	 * Takes a refresh token's turn: answers whose session it is, and that the next generation is the one that counts now. Undefined if it is not the
	 * newest of a session that lives; if it once was, it is being used a second time, and the session is revoked.
	 */
	turn(refresh: Refresh, expiresInMs: number): Promise<{ user: User; generation: number } | undefined>;
	/** Ends a session; false if it has ended already. */
	revoke(session: string): Promise<boolean>;
	/** Sessions revoked within this time. */
	revokedWithin(ms: number): Promise<string[]>;
	/** Forgets sessions whose last token has ended. */
	sweep(): Promise<number>;
}

/** Whoever signs in is answered within the 5 s that every request has. */
const TIMEOUT_MS = 3_000;

interface Row {
	id: string;
	email: string;
	name: string;
	role: Role;
	password_hash: string;
	created_at: Date;
}

const userOf = ({ id, email, name, role, created_at }: Row): User => ({
	id,
	email,
	name,
	role,
	createdAt: created_at.toISOString()
});

export function sqlUsers(db: Knex): UserStore {
	const rows = async <R>(sql: string, values: unknown[]): Promise<R[]> =>
		(await db.raw(sql, values as Knex.Value[]).timeout(TIMEOUT_MS)).rows;

	return {
		async add({ id, email, name, role, passwordHash }) {
			const [row] = await rows<Row>(
				`insert into users (id, email, name, role, password_hash) values (?, ?, ?, ?, ?)
				 on conflict (email) do nothing returning *`,
				[id, email, name, role, passwordHash]
			);
			return row && userOf(row);
		},

		async byEmail(email) {
			const [row] = await rows<Row>("select * from users where email = ?", [email]);
			return row && { user: userOf(row), passwordHash: row.password_hash };
		},

		async byID(id) {
			const [row] = await rows<Row>("select * from users where id = ?", [id]);
			return row && userOf(row);
		},

		async open({ id, userID, expiresInMs }) {
			await rows("insert into sessions (id, user_id, expires_at) values (?, ?, now() + ? * interval '1 ms')", [
				id,
				userID,
				expiresInMs
			]);
		},

		async turn({ session, generation }, expiresInMs) {
			const [row] = await rows<Row & { generation: number }>(
				`update sessions set generation = generation + 1, expires_at = now() + ? * interval '1 ms'
				 from users
				 where sessions.id = ? and generation = ? and revoked_at is null and expires_at > now() and users.id = sessions.user_id
				 returning users.*, generation`,
				[expiresInMs, session, generation]
			);
			if (row) return { user: userOf(row), generation: row.generation };
			await rows(
				`update sessions set revoked_at = now(), revoked_because = 'a refresh token was used twice'
				 where id = ? and generation > ? and revoked_at is null`,
				[session, generation]
			);
			return undefined;
		},

		async revoke(session) {
			const ended = await rows(
				`update sessions set revoked_at = now(), revoked_because = 'signed out' where id = ? and revoked_at is null returning id`,
				[session]
			);
			return ended.length > 0;
		},

		async revokedWithin(ms) {
			const ended = await rows<{ id: string }>("select id from sessions where revoked_at > now() - ? * interval '1 ms'", [ms]);
			return ended.map(({ id }) => id);
		},

		async sweep() {
			const swept = await rows("delete from sessions where expires_at < now() returning id", []);
			return swept.length;
		}
	};
}
