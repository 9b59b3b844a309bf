#!/usr/bin/perl
# Runs the lab's own commands, many at once. Touches no disk, so that it works whatever is frozen.
#   host: PING x | RUN id script | KILL id      guest: HELLO x boot-id | OUT id bytes | ERR id bytes | END id code
use strict;
use warnings;
use lib '/usr/local/lib/freezeframe';
use IO::Select;
use POSIX qw(:sys_wait_h setpgid);
use Port;

# The libraries of the first commands come from a cache that the freeze of a file system cannot hold up.
$ENV{PATH} = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
$ENV{HOME} = '/root';
$ENV{LC_ALL} = 'C.UTF-8';

my $port = Port->new('org.freezeframe.exec');
my $readable = IO::Select->new($port->handle);
my (%jobs, %stream);    # id => {pid, open, code}; fileno => [job id, verb]

$SIG{CHLD} = sub { };    # only to interrupt select
hello();
while (1) {
    for my $handle ($readable->can_read(%jobs ? 0.02 : undef)) {
        if ($handle == $port->handle) { obey(@$_) for $port->receive }
        else                          { forward($handle) }
    }
    reap();
}

sub hello { $port->send('HELLO', '0', slurp('/proc/sys/kernel/random/boot_id')) }

sub obey {
    my ($verb, $id, $payload) = @_;
    if    ($verb eq 'PING') { hello() }
    elsif ($verb eq 'RUN')  { run($id, $payload) }
    elsif ($verb eq 'KILL') { kill 'KILL', -$jobs{$id}{pid} if $jobs{$id} }
}

sub run {
    my ($id, $script) = @_;
    pipe my $out, my $out_end or die "pipe: $!";
    pipe my $err, my $err_end or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgid(0, 0);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $out_end;
        open STDERR, '>&', $err_end;
        exec '/bin/bash', '-c', $script or POSIX::_exit(126);
    }
    setpgid($pid, $pid);
    $jobs{$id} = { pid => $pid, handles => [$out, $err] };
    $stream{ fileno $out } = [$id, 'OUT'];
    $stream{ fileno $err } = [$id, 'ERR'];
    $readable->add($out, $err);
}

sub forward {
    my ($handle) = @_;
    my ($id, $verb) = @{ $stream{ fileno $handle } // return };
    if (sysread $handle, my $bytes, 32768) { $port->send($verb, $id, $bytes); return 1 }
    forget($handle);
    return 0;
}

sub forget {
    my ($handle) = @_;
    delete $stream{ fileno $handle };
    $readable->remove($handle);
    close $handle;
}

# A command ends with its process, even if a child that it left behind still holds its output.
sub reap {
    while ((my $pid = waitpid -1, WNOHANG) > 0) {
        my $status = $?;
        my ($id) = grep { $jobs{$_}{pid} == $pid } keys %jobs;
        next unless defined $id;
        for my $handle (grep { defined fileno $_ } @{ $jobs{$id}{handles} }) {
            my $pending = IO::Select->new($handle);
            1 while $pending->can_read(0) && forward($handle);
            forget($handle) if defined fileno $handle;
        }
        delete $jobs{$id};
        $port->send('END', $id, WIFSIGNALED($status) ? 128 + WTERMSIG($status) : WEXITSTATUS($status));
    }
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    chomp(my $line = <$file> // '');
    return $line;
}
