package Port;
# One end of a virtio-serial port. A message is one line, "VERB ID BASE64": a half-written line of a killed writer
# spoils itself only, because everybody begins with a newline.
use strict;
use warnings;
use MIME::Base64;

sub new {
    my ($class, $name) = @_;
    my $device = "/dev/virtio-ports/$name";
    select undef, undef, undef, 0.05 until -e $device;
    open my $handle, '+<:raw', $device or die "$device: $!";
    my $self = bless { handle => $handle, rest => '' }, $class;
    $self->write_all("\n");
    return $self;
}

sub handle { return $_[0]{handle} }

sub send {
    my ($self, $verb, $id, $payload) = @_;
    $self->write_all("$verb $id " . encode_base64($payload, '') . "\n");
}

# Whatever has arrived, as [verb, id, payload] each. Call it when the handle is readable.
sub receive {
    my ($self) = @_;
    my $count = sysread $self->{handle}, $self->{rest}, 65536, length $self->{rest};
    # The host's end is closed: readable and empty for ever.
    select undef, undef, undef, 0.05 unless $count;
    my @messages;
    while ($self->{rest} =~ s/\A([^\n]*)\n//) {
        push @messages, [$1, $2, decode_base64($3)] if $1 =~ m{\A([A-Z]+) ([\w.-]+) ([A-Za-z0-9+/=]*)\z};
    }
    return @messages;
}

sub write_all {
    my ($self, $bytes) = @_;
    while (length $bytes) {
        my $written = syswrite $self->{handle}, $bytes;
        if (defined $written) { substr $bytes, 0, $written, '' }
        else                  { select undef, undef, undef, 0.02 }
    }
}

1;
