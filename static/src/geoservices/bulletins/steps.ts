/** Which step of a bulletin a role and a state allow; the server decides, this is what a page offers. */
import type { Bulletin } from '../dashboard/fetching';
import type { Role } from '../model';

export const STEPS = ['submit', 'approve', 'reject', 'recompose'] as const;
export type Step = (typeof STEPS)[number];

const WRITES: readonly Role[] = ['moderator', 'editor', 'owner'];
const DECIDES: readonly Role[] = ['moderator', 'owner'];
const ALLOWED: Readonly<Record<Step, { roles: readonly Role[]; states: readonly string[] }>> = {
  submit: { roles: WRITES, states: ['draft'] },
  approve: { roles: DECIDES, states: ['submitted'] },
  reject: { roles: DECIDES, states: ['submitted'] },
  recompose: { roles: WRITES, states: ['draft', 'rejected', 'sent'] },
};

/** Whether a role does anything with bulletins but read them. */
export const isAtWork = (role: Role | null): boolean => role !== null && WRITES.includes(role);

/** Steps of one of several bulletins; only the last revision of a period is composed anew. */
export function stepsOf({ state, period, revision }: Bulletin, all: readonly Bulletin[], role: Role | null): Step[] {
  const isLast = all.every((each) => each.period !== period || each.revision <= revision);
  return STEPS.filter((step) => role !== null && ALLOWED[step].roles.includes(role) && ALLOWED[step].states.includes(state) && (isLast || step !== 'recompose'));
}
