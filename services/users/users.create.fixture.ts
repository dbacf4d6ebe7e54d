import { type CommandResult, runCommand } from "../../test/command.ts";

/** Runs the command of `npm run user:create -- ...args` with `input` on its standard input. */
export const userCreate = (env: Record<string, string>, args: string[], input: string): Promise<CommandResult> =>
	runCommand("services/users/users.create.ts", args, env, input);
