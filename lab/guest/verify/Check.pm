# What every check of a restored set needs: commands with a time limit, patience, and the list of problems.
package Check;
use strict;
use warnings;
use JSON::PP ();
use Exporter 'import';
our @EXPORT = qw(@problems problem command wait_until slurp number true false boolean run_folder);

our @problems;

sub true { return JSON::PP::true }

sub false { return JSON::PP::false }

sub boolean { return $_[0] ? true() : false() }

sub number { return defined $_[0] && $_[0] =~ /^-?\d+$/ ? $_[0] + 0 : undef }

sub problem { push @problems, $_[0] =~ s/\s+\z//r; return }

sub command {
    my ($line, $seconds) = (@_, 30);
    open my $pipe, '-|', 'timeout', '-k', '5', $seconds, 'bash', '-c', "exec 2>&1; $line" or return { code => 127, output => "$!" };
    local $/;
    my $output = <$pipe> // '';
    close $pipe;
    return { code => $? >> 8 || $? & 127, output => $output };
}

sub wait_until {
    my ($test, $seconds, $pause) = @_;
    my $end = time + ($seconds // 20);
    while (time < $end) {
        return 1 if $test->();
        select undef, undef, undef, $pause // 0.05;
    }
    return 0;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or return '';
    local $/;
    return <$file> // '';
}

# An empty folder in memory for a server's socket, pid and log, its USER's own.
sub run_folder {
    my ($user) = @_;
    my $folder = "/run/lab/verify-$user";
    command("rm -rf $folder; install -d -o $user $folder");
    return $folder;
}

1;
