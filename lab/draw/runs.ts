/** Two runs as the pages show them; a test plays them, and holds these paths against what they were. */
import type { Run } from './workflow.ts';

const TO_THE_WINDOW = ['Inspect host', 'Rehearse', 'Is there anything to freeze?', 'Freeze'];
const TO_THE_END = [
  'Grade',
  'Store receipt',
  'Keep the set?',
  'Wait for snapshots',
  'Check snapshots',
  'Are they completed?',
];

/** All went well. */
export const GREEN: Run = {
  path: [...TO_THE_WINDOW, 'Create snapshots', 'Thaw', 'Was a set taken?', ...TO_THE_END, 'Complete'],
  failed: [],
};

/** The database did not give its lock; the policy keeps a set of a lower grade. */
export const RED: Run = {
  path: [
    ...TO_THE_WINDOW,
    'Thaw',
    'Was a set taken?',
    'Create snapshots unfrozen',
    ...TO_THE_END,
    'Which error came first?',
    'Backup failed',
  ],
  failed: ['Freeze', 'Backup failed'],
};
