import { keepsItsWord } from './behaviour.ts';

keepsItsWord(
  {
    driver: 'db2',
    client: 'db2',
    also: ['db2pd'],
    process: { comm: 'db2sysc' },
    files: { 'home/sqllib/db2profile': ':\n' },
    clientAt: 'bin/db2',
  },
  { name: /^Db2 SAMPLE \(root\)$/, stopsWrites: true, locks: true, position: 'Current Log Number            42' },
);
